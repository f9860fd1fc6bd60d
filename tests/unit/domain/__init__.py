"""The words of the domain: what they promise without any of the stages."""
