r"""The course's mathematics in NumPy: short enough to read, vectorised enough to use, equal to Keras.

Rules that hold for every module of this package:

* **Types.** float32 or float64 arrays in, the same type out (mixed types follow NumPy's promotion).
  An integer array is refused: `images.astype("float32")` says what you mean.
  Plain Python numbers and lists become float64.
* **Layout.** Images are (batch, height, width, channels), kernels (height, width, in, out), as in Keras.
* **Gradients.** The gradient of `f` is `f_backward(upstream, *the arguments of f)`, where `upstream` is
  the derivative of the final loss with respect to the output of `f` and has that output's shape. It returns
  the gradients of the floating-point array arguments of `f`, in their order: one array when there is one
  such argument, otherwise a tuple. Losses return the gradient of their first argument only: targets and
  labels are data.
  Most of them are called by no chapter: they are there because a formula without its derivative is half of it, to be
  read beside the forward pass and to compare an automatic gradient with. So every function that can be
  differentiated has one, and the tests hold each against Keras and against finite differences.
* **Errors.** A wrong shape or argument raises a `ValueError` of `course_utils.checking` that names what was expected
  and what was found.
"""
