"""Training of a network.

fit: one training; trainer: its loop; epoch_loss: the sum of its losses; augmentation, mixing: random changes of images
and batches; losses, class_weights, criterion: a head's loss and the sum over heads; optim: optimiser, schedule,
accumulation; parallel: frozen parts, several processes, compiling; validation: scores after an epoch; progress,
checkpoints, resume: state of a run, its files, the name it trains under; initial_weights: what training starts from;
plan: several models by one job; separate: settings of an attribute's own model; held_out, out_of_fold: answers to the
validation images and of each fold's model; tracking: console, TensorBoard, Weights & Biases.

Tested by files of other names:
    trainer: tests/test_train.py
    out_of_fold: tests/test_plan.py
"""
