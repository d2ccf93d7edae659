"""Optimal offloading of convolution layers to small accelerators, by answer-set programming.

A layer's way through the package, each stage importing only what stands before it:
``instance`` → ``problem`` → ``facts`` → ``rules`` → ``bounds`` → ``search`` → ``strategy``
→ ``check`` → ``simulate`` → ``pipeline`` → ``network`` → ``report`` → ``cli``.
"""

__version__ = "0.1.0"
