// resnetcc.hpp: a compiled model as an object of C++11 that owns what a run needs, and whose errors are exceptions.
#pragma once

#include "resnetcc_rt.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

namespace resnetcc {

struct error : std::runtime_error {
  int code; // RCC_ERR_*
  explicit error(int c) : std::runtime_error(rcc_strerror(c)), code(c) {}
};

// Threads that runs may use, one run at a time.
class pool {
 public:
  explicit pool(int32_t threads) : pool_(rcc_pool_create(threads)) {
    if (!pool_) throw std::bad_alloc();
  }
  const rcc_parallel *parallel() const { return rcc_pool_parallel(pool_.get()); }

 private:
  struct destroy {
    void operator()(rcc_pool *p) const { rcc_pool_destroy(p); }
  };
  std::unique_ptr<rcc_pool, destroy> pool_;
};

// A model with a workspace of its own: one for each thread that runs it at the same time. The pool, if any, has to outlive it.
class runner {
 public:
  explicit runner(const rcc_model &model, const pool *threads = nullptr, int64_t batch = 1)
      : model_(&model), parallel_(threads ? threads->parallel() : nullptr), batch_(batch) {
    if (model.abi != RCC_ABI) throw std::invalid_argument("the model was compiled for another resnetcc_rt");
    size_t size = model.workspace_size(batch, parallel_ ? parallel_->threads : 1);
    workspace_ = workspace(rcc_workspace_alloc(size), release{size});
    if (!workspace_) throw std::bad_alloc();
  }

  const rcc_model &model() const { return *model_; }
  // Elements of an input or output, for the whole batch.
  size_t input_size(int i) const { return elements(model_->inputs[i]); }
  size_t output_size(int i) const { return elements(model_->outputs[i]); }

  // In the model's order. The memory is the caller's.
  void run(const std::vector<const void *> &inputs, const std::vector<void *> &outputs) {
    if (inputs.size() != static_cast<size_t>(model_->n_inputs) || outputs.size() != static_cast<size_t>(model_->n_outputs))
      throw std::invalid_argument("not as many inputs and outputs as the model has");
    int code = model_->run(inputs.data(), outputs.data(), batch_, workspace_.get(), workspace_.get_deleter().size, parallel_);
    if (code) throw error(code);
  }

  // For models of one float input and one float output.
  std::vector<float> operator()(const std::vector<float> &input) {
    enum { FLOAT = 1 };
    if (model_->n_inputs != 1 || model_->n_outputs != 1 || model_->inputs[0].type != FLOAT || model_->outputs[0].type != FLOAT)
      throw std::invalid_argument("the model does not take one tensor of floats to another");
    if (input.size() != input_size(0)) throw std::invalid_argument("the input is not of the model's size");
    std::vector<float> output(output_size(0));
    run({input.data()}, {output.data()});
    return output;
  }

 private:
  struct release {
    size_t size;
    void operator()(void *p) const { rcc_workspace_free(p, size); }
  };
  using workspace = std::unique_ptr<void, release>;

  size_t elements(const rcc_tensor &t) const {
    size_t n = 1;
    for (int32_t i = 0; i < t.rank; i++) n *= static_cast<size_t>(t.dims[i] < 0 ? batch_ : t.dims[i]);
    return n;
  }

  const rcc_model *model_;
  const rcc_parallel *parallel_;
  int64_t batch_;
  workspace workspace_{nullptr, release{0}};
};

} // namespace resnetcc
