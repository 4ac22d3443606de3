"""From a channel to batches: reads the images and labels of a channel of any layout, checks, splits and loads them.

readers/ reads the layouts; channel makes a labelled Table of them (with label_forms, label_pattern, default_scheme and
label_columns; groups, split_column, split_folders and duplicates say which rows belong together), checked_tables reads
and checks the channels of a training, prediction_input the rows to predict, input_parts their parts; image_locations
holds where the images lie.
content_index has the hash of every image, integrity reads each once, leaks finds the same one on two sides, pixel_range
how images of more than 8 bits are scaled; splits, split_report and datasets decide what is trained and validated on;
sampling orders an epoch; image_dataset decodes the images of a batch, in threads or, by loader, in worker processes.
"""
