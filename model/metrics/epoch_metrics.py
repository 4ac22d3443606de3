"""NEW: name, label, curve, format, direction of each epoch metric, once."""

from __future__ import annotations

METRICS = ("val_f1", "val_acc", "val_gmean", "val_loss", "train_loss", "lr", "pictures_per_second")
