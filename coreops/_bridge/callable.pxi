# The fast path: calls that go from Python to a plan without any of our bytecode.

def bump_epoch():
    """Says that a weight, somewhere, or the tier has changed: every fast path looks again. Returns what
    the count was before."""
    return co_bump_epoch()


def epoch():
    """The count that bump_epoch raises."""
    return co_epoch()


def enter_scope():
    """This thread runs a user's function from now on: nested calls take the slow path, which
    knows whether the call around them trains."""
    global co_scopes
    co_scopes += 1


def leave_scope():
    """Ends the innermost enter_scope of this thread."""
    global co_scopes
    co_scopes -= 1


@cython.auto_pickle(False)
cdef class Stream:
    """Where a stream of random draws stands: its seed, and the number of draws made from it."""

    cdef public uint64_t seed, call

    cdef co_stream draw(self):
        """The next draw."""
        cdef co_stream drawn
        with cython.critical_section(self):
            self.call += 1
            drawn = co_stream(self.seed, self.call)
        return drawn

    def next(self, bint ordered=True):
        """Take the number of the stream's next draw: 1, 2, ..."""
        return self.draw().call

    def key(self):
        """Take the stream's next draw: the seed, and the draw's number."""
        cdef co_stream drawn = self.draw()
        return drawn.seed, drawn.call

    @property
    def place(self):
        """The seed and the number of draws so far, both of one moment."""
        cdef uint64_t seed, call
        with cython.critical_section(self):
            seed, call = self.seed, self.call
        return seed, call

    @place.setter
    def place(self, value):
        cdef uint64_t seed, call
        seed, call = value
        with cython.critical_section(self):
            self.seed, self.call = seed, call


cdef enum:
    MOST_STREAMS = 8  # of a plan that a call with training=True goes straight to


cdef class Callable:
    """What can be called on an array: with a plan installed, a call that fits it goes straight to
    the kernels; every other call goes to the subclass's `_call`. The subclass's `_attach(y, mask)`
    makes the output that carries a mask."""

    cdef Plan _plan
    cdef uint64_t _seen
    cdef tuple _lesson  # the plan of calls with training=True, and its streams
    cdef uint64_t _lesson_seen

    cdef Plan _fitting(self, object x):
        """The installed plan, if it is up to date and takes x as it is; else None."""
        cdef Plan plan = self._current()
        return plan if plan is not None and plan.accepts(x) else None

    cdef Plan _current(self):
        """The installed plan, if it is up to date; else None."""
        cdef Plan plan
        if self._seen != co_epoch() or co_scopes != 0:
            return None
        with cython.critical_section(self):
            plan = self._plan
        return plan

    cdef object _train(self, object x):
        """The output of a call with training=True, if the plan of such is up to date and takes x as
        it is; else None."""
        cdef tuple lesson, streams
        cdef Plan plan
        cdef co_stream drawn[MOST_STREAMS]
        cdef Py_ssize_t i
        if self._lesson_seen != co_epoch() or co_scopes != 0:
            return None
        with cython.critical_section(self):
            lesson = self._lesson
        if lesson is None:
            return None
        plan, streams = lesson
        if not plan.takes(x):
            return None
        for i in range(len(streams)):
            drawn[i] = (<Stream>streams[i]).draw()
        y, mask = plan.run_drawn(<cnp.ndarray>x, None, drawn)
        return y if mask is None else self._attach(y, mask)

    def __call__(self, *args, **kwargs):
        cdef Plan plan
        cdef object x, out = None
        if len(args) == 1:
            if kwargs:
                if len(kwargs) == 1:
                    if kwargs.get("training") is True:
                        y = self._train(args[0])
                        return self._call(*args, **kwargs) if y is None else y
                    out = kwargs.get("out")
                if out is None:
                    return self._call(*args, **kwargs)
            x = args[0]
            plan = self._current()
            if plan is not None and not plan.accepts(x):
                x = plan.cast(x)
            if plan is not None and x is not None:
                if plan.masked:
                    return self._attach(*plan.run_full(<cnp.ndarray>x, out, ()))
                return plan.run_array(<cnp.ndarray>x, out)
        return self._call(*args, **kwargs)

    def _direct(self, x, double most_ns):
        """The output without its mask, if an installed plan takes x as it is and needs no longer
        than about most_ns nanoseconds; else None."""
        cdef Plan plan = self._fitting(x)
        if plan is None or plan._ns * cnp.PyArray_DIM(<cnp.ndarray>x, 0) > most_ns:
            return None
        if plan.masked:
            return plan.run_full(<cnp.ndarray>x, None, ())[0]
        return plan.run_array(<cnp.ndarray>x, None)

    def _install(self, Plan plan not None, uint64_t seen):
        """Calls that fit the plan run it from now on, until a weight changes somewhere. seen: the
        epoch at which the plan was known to be up to date."""
        with cython.critical_section(self):
            self._plan = plan
            self._seen = seen

    def _install_training(self, Plan plan not None, tuple streams, uint64_t seen):
        """The same for calls with training=True; streams: the plan's, in order. Of a plan with many
        nothing is installed."""
        for stream in streams:
            if not isinstance(stream, Stream):
                raise TypeError(f"internal error: {type(stream).__name__} is no stream")
        if len(streams) != plan._streams or len(streams) > MOST_STREAMS:
            return
        with cython.critical_section(self):
            self._lesson = plan, streams
            self._lesson_seen = seen

    def _uninstall(self):
        """Every call goes to `_call` again."""
        with cython.critical_section(self):
            self._plan = self._lesson = None
            self._seen = self._lesson_seen = 0
