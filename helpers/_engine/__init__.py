"""Machinery that no lesson imports: quiet TensorFlow, checks, progress, the compiled programs."""
