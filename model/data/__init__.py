"""From a channel to batches: reads the images and labels of a channel of any layout, checks, splits and loads them.

readers/ reads the layouts; channel makes a labelled Table of them (with label_forms, default_scheme and
label_columns), prediction_input the rows to predict; image_locations holds where the images lie; integrity reads every
image once; splits, split_report and datasets decide what is trained and validated on; sampling orders an epoch;
image_dataset decodes the images of a batch, in threads or, by loader, in worker processes.
"""
