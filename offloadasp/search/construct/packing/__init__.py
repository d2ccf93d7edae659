"""Compute actions filled to the last multiply-accumulate that whole operations allow."""
