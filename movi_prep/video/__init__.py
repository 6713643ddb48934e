"""Video: frames read in one pass, pictures cut, encoded and decoded; the home of OpenCV."""
