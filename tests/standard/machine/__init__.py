"""Two clients do anything in any order, legal or not, and a model of the standard says what each of them must get.

`model.py` is the standard in plain Python, `wire.py` a connection that compares what comes with what the model expects,
`clients.py` the two clients with what they may do, `test_machine.py` lets Hypothesis choose.
"""
