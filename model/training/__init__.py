"""Training of a network.

job: what the models of a training job share; fit: trains one network; trainer: the training loop; epoch_loss: mean loss
of an epoch; augmentation, mixing: random changes of images and batches; losses, cross_entropy, early_learning,
class_weights, targets, criterion: the loss of a head and the sum over heads; features: those of a frozen backbone,
computed once; decision, prior_correction: logit adjustment after training, class priors corrected twice; optim:
optimiser, schedule, accumulation; parallel: frozen parts, several processes, compiling; validation: scores after an
epoch; training_dynamics: records of the given labels' probabilities; progress, checkpoints, resume: the state of a run,
its files, the name that it trains under; early_checks: settings checked before the data are read; plan: the models of
one job; separate: settings of each attribute's own model; cleaning: the changes of --clean; ensembles: those of the
plan, saved; metadata: the values that a network with --fusion reads; held_out, out_of_fold: predictions for the
validation images and for every row by folds; run_metrics: the content of metrics.json; kept_epochs: the weights of the
last epochs; average, average_members, batch_norm: the mean of the weights of several models; tracking: console,
TensorBoard, Weights & Biases.

Tested by files of other names:
    job, trainer, run_metrics: tests/test_train.py
    cross_entropy: tests/model/training/test_losses.py
    ensembles, out_of_fold: tests/test_plan.py
"""
