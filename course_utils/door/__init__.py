"""From a bare Python to the finished environment: set-up, JupyterLab, doctor. The standard library only."""
