"""What pages show that look across apps: portal's selectors alone may read any app's tables."""
