"""From a channel to batches: reads, checks, splits and loads the images and labels of a channel of any layout.

Reading:
    readers/ reads the layouts. channel turns their rows into a labelled Table, with label_forms, label_pattern,
    default_scheme and label_columns for the labels, and groups, split_column, split_folders and duplicates for rows
    that belong together. labelled_rows parses the labels of the rows. corrections reads the log of reviewers, which
    corrected_labels applies; correction_files finds it, and correction_record counts. checked_tables reads and checks
    the channels of a training run. prediction_input reads the rows to predict, input_parts divides them.
    image_locations has the location of every image.
Checking:
    content_index has a hash of every image, integrity decodes each image once, leaks finds images that are in both
    train and validation, pixel_range chooses how images of more than 8 bits are scaled. crops reads the marker of
    channels whose images are crops.
Splitting and loading:
    splits, split_report and datasets choose the images to train and validate on. sampling orders an epoch.
    metadata has the columns that a network reads. image_dataset decodes batches in threads; loader does so in worker
    processes.

Tested by files of other names:
    labelled_rows: tests/model/data/test_channel.py
    crops: tests/exploration/crop/test_command.py
"""
