"""The recipe of the bundled generator: autoencoder, networks, flow matching, export."""
