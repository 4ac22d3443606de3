"""`python -m exploration crop`: crops the images of a channel to their subject, such as the face.

command: the subcommand; detectors: boxes by an ONNX network; boxes: the box of each image, boxes.csv; cropping: crops
and copies the files of a channel.

Tested by files of other names:
    cropping: tests/exploration/crop/test_command.py
"""
