"""Musculoskeletal models and marker sets as data, and the scripts that build them."""
