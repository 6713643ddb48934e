"""Pure kernels, batch axes first."""
