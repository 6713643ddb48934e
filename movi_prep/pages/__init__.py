"""Parts that all pages share: markup, packed arrays, and the scripts and styles that web/ bundles into assets/."""
