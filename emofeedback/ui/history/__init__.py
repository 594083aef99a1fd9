"""The History tab: runs that were kept, found and looked at again."""
