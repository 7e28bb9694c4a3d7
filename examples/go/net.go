// Package main tells which handwritten digit a picture shows; net.go is all that belongs to the compiled model.
package main

//go:generate resnetcc ../digits/digits.onnx -o digits.o
//go:generate mv digits.o digits_linux_amd64.syso

/*
#cgo pkg-config: resnetcc_rt
#include "digits.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Net runs the model. Any number may run at the same time; one is for one goroutine at a time.
type Net struct {
	workspace unsafe.Pointer
	size      C.size_t
}

// Sizes of the model's tensors.
const (
	InputSize  = 64
	OutputSize = 10
)

// NewNet gives a Net its workspace, which the garbage collector takes back.
func NewNet() (*Net, error) {
	size := C.size_t(C.DIGITS_WORKSPACE_SIZE)
	n := &Net{C.rcc_workspace_alloc(size), size}
	if n.workspace == nil {
		return nil, errors.New("no memory for the workspace")
	}
	runtime.SetFinalizer(n, func(n *Net) { C.rcc_workspace_free(n.workspace, n.size) })
	return n, nil
}

// Run computes the probability of each digit.
func (n *Net) Run(image []float32) ([]float32, error) {
	if len(image) != InputSize {
		return nil, fmt.Errorf("%d values where the model takes %d", len(image), InputSize)
	}
	out := make([]float32, OutputSize)
	code := C.digits_run((*C.float)(&image[0]), (*C.float)(&out[0]), n.workspace, n.size, nil)
	runtime.KeepAlive(n)
	if code != 0 {
		return nil, errors.New(C.GoString(C.rcc_strerror(code)))
	}
	return out, nil
}
