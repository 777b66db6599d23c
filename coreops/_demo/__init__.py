"""What `coreops demo` shows: classify.py, a network that Keras trained; train.py, the same one
trained here, and curves.py, how that went."""
