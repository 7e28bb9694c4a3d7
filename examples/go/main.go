package main

import (
	"bufio"
	"fmt"
	"os"
)

// readPicture reads a PGM of 8x8 pixels in text form, dark on light.
func readPicture(path string) ([]float32, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	var width, height, white int
	if _, err := fmt.Fscanf(in, "P2\n%d %d\n%d\n", &width, &height, &white); err != nil || width != 8 || height != 8 || white <= 0 {
		return nil, fmt.Errorf("%s: not a PGM of 8x8 pixels in text form", path)
	}
	image := make([]float32, width*height)
	for i := range image {
		var grey float32
		if _, err := fmt.Fscan(in, &grey); err != nil {
			return nil, fmt.Errorf("%s: cut off", path)
		}
		image[i] = 1 - grey/float32(white)
	}
	return image, nil
}

func run(path string) error {
	image, err := readPicture(path)
	if err != nil {
		return err
	}
	net, err := NewNet()
	if err != nil {
		return err
	}
	p, err := net.Run(image)
	if err != nil {
		return err
	}
	best := 0
	for i := range p {
		if p[i] > p[best] {
			best = i
		}
	}
	fmt.Printf("%s looks like %d (%.1f %%)\n", path, best, 100*p[best])
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: digit PICTURE.pgm")
		os.Exit(1)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
