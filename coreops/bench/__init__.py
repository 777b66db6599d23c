"""The benchmark suite: `coreops bench`, and `pytest bench/` in a checkout.

    cases.py      what is measured: networks of a few steps, each with its batch and its work;
                  images.py has those of images, catalogue.py which ones there are
    training.py   a network that learns, in NumPy: the float64 result of training
    exact.py      what is right: the float64 result and how far float32 may be from it
    peers/        who is measured: one module for each library, imported in its own process only
    worker.py     that process: builds a case, answers, times slices when it is told to
    processes.py  the parent's end of it
    suite.py      one run: checks every peer's result, then times them in turns
    load.py       the same calls on a machine whose every core is busy
    results.py    the figures: medians, the file, comparing two runs
    table.py      the figures as text; targets.py as goals; picture.py as a picture
    command.py    the command line

Importing this package imports NumPy and coreops, never a peer.
"""
