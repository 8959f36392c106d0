"""The demonstration centre and the main job, performed through the same doors a customer uses."""
