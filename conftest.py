"""What every test and every notebook under nbval runs with: the smoke profile, strictly, TensorFlow quiet."""

import os

os.environ["COURSE_PROFILE"] = "smoke"
os.environ["COURSE_STRICT"] = "1"
os.environ["COURSE_LANGUAGE"] = "en"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("COURSE_RESULTS", None)
