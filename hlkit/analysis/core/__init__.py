"""What all analyses share: the registry, results, groups, intervals, charts, headlines."""
