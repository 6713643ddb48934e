"""Shards as the files that released training codes open: one pure writer for each."""
