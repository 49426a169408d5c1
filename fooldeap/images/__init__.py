"""Pictures of results, and the nearest real images."""
