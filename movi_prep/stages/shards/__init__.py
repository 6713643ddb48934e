"""Native shards: what goes into them, written and verified."""
