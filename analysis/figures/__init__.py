"""What a run and a comparison look like as pictures."""
