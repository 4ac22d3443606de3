"""Makes importing torch, and the libraries that need it, fail in processes with this folder on PYTHONPATH."""

import sys

# importing a module that is None there raises ImportError
sys.modules.update(dict.fromkeys(("torch", "torchvision", "timm", "torchsampler")))
