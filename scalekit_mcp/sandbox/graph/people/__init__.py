"""The people API: whom a person may mean by a name."""
