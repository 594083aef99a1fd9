"""The Read tab: any picture in, its reading out."""
