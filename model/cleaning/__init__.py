"""Label cleaning: finds labels that are probably wrong, and estimates how many are. Imports no torch."""
