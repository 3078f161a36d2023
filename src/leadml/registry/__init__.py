"""The door to MLflow, to bundles on disk, to the champion served."""
