# Steps of images: windows that slide over them. A window is (h, w, c, kh, kw, sh, sw, dh, dw, top,
# left, oh, ow), as csrc/window.h has it.

cdef co_window _window(tuple sizes):
    cdef co_window s
    (s.h, s.w, s.c, s.kh, s.kw, s.sh, s.sw, s.dh, s.dw, s.top, s.left, s.oh, s.ow) = sizes
    return s


def plan_conv(Plan plan not None, int x, tuple window, ptrdiff_t groups, int w, int bias=-1):
    """x as images (h, w, c) convolved with weight w (kh, kw, c / groups, n), plus weight `bias` (n,),
    -1 for none: (oh, ow, n)."""
    plan._building(True)
    cdef co_window s = _window(window)
    return plan._check(co_plan_conv(plan._c, x, &s, groups, w, bias))


def plan_depthwise(Plan plan not None, int x, tuple window, int w, int bias=-1):
    """Each channel of x convolved with its own kernel, of weight w (kh, kw, c), a vector, plus weight
    `bias` (c,): (oh, ow, c)."""
    plan._building(True)
    cdef co_window s = _window(window)
    return plan._check(co_plan_depthwise(plan._c, x, &s, w, bias))


def plan_pool(Plan plan not None, int x, tuple window, bint average):
    """The largest pixel of each window, or the mean of those that are no padding: (oh, ow, c)."""
    plan._building(True)
    cdef co_window s = _window(window)
    return plan._check(co_plan_pool(plan._c, x, &s, average))


def plan_pad(Plan plan not None, int x, tuple window):
    """The image with zeros around it, or a part of it, by windows of one pixel: (oh, ow, c)."""
    plan._building(True)
    cdef co_window s = _window(window)
    return plan._check(co_plan_pad(plan._c, x, &s))
