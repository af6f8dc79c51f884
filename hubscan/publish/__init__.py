"""Write the model card of a run, without private paths, and upload it to the Hub."""
