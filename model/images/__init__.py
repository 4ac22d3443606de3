"""Single images, from encoded bytes to the input of the network. Imports no torch.

image_location: the location of an image. decode: reads an image as an upright 8-bit image, with deep, tiff, jpeg and
pixel_range for special formats. preprocessing: fits it to the input size. tta: views of an image at prediction.
pipeline: the input pipeline that is saved with a model. inputs: the arrays that a network reads. vocabulary: the
metadata values that it knows.
"""
