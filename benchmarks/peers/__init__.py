"""Other ways to do the same work, written anew from their published description, to be measured against."""
