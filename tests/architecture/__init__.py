"""The shape of the house: who may import what, what is shipped, what no file may say."""
