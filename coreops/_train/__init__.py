"""Training: the data as batches, and the step that learns from one.

`data`, with `arrays`, makes batches of what the user passes, and `feed` epochs of them. `compiled`
is what `compile` says, `judged` what it says of one output, `aim` what that output is held against.
`step` is the step: a `chain` of `parts` takes a batch forward and back, each by a `way` through a
plan, as `flow` describes it, or by `whole`; `ending` has the losses, `learners` the weights that
change, `workspace` the arrays where they are meanwhile. `script` is what a step did, and `lesson`
does it again without looking anything up. `taped` and `traced` are for functions of the user's.
"""
