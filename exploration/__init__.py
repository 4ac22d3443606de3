"""Looking at data, runs and scores: `python -m exploration SUBCOMMAND`, a module per subcommand.

demo draws a data set (a face by portrait); runs lists trainings; scores prints an evaluation.

Tested by files of other names:
    __main__: tests/exploration/test_main.py
"""
