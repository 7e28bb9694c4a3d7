// Of resnetcc_rt.h.
use std::ffi::{c_void, CStr};
use std::os::raw::{c_char, c_int}; // in std::ffi since Rust 1.64

#[repr(C)]
struct Tensor {
    name: *const c_char,
    kind: i32,
    rank: i32,
    dims: *const i64,
}

#[repr(C)]
struct Model {
    abi: u32,
    flags: u32,
    name: *const c_char,
    target: *const c_char,
    n_inputs: i32,
    n_outputs: i32,
    inputs: *const Tensor,
    outputs: *const Tensor,
    workspace_size: unsafe extern "C" fn(i64, i32) -> usize,
    run: unsafe extern "C" fn(*const *const c_void, *const *mut c_void, i64, *mut c_void, usize, *const c_void) -> c_int,
}

extern "C" {
    #[link_name = "NAME_model"]
    static MODEL: Model;
    fn rcc_workspace_alloc(size: usize) -> *mut c_void;
    fn rcc_workspace_free(workspace: *mut c_void, size: usize);
    fn rcc_strerror(error: c_int) -> *const c_char;
}

/// A type of elements that tensors have.
pub trait Element: Copy + Default {
    /// ONNX's TensorProto.DataType.
    const KIND: i32;
}
impl Element for f32 {
    const KIND: i32 = 1;
}
impl Element for u8 {
    const KIND: i32 = 2;
}
impl Element for i32 {
    const KIND: i32 = 6;
}
impl Element for i64 {
    const KIND: i32 = 7;
}

/// The model NAME with a workspace of its own. A model of one input and one output; `batch` counts images.
pub struct Runner {
    workspace: *mut c_void,
    size: usize,
    batch: i64,
}

// A run changes nothing but the workspace, and takes the Runner as &mut.
unsafe impl Send for Runner {}

impl Runner {
    pub fn new(batch: i64) -> Result<Runner, String> {
        // SAFETY: a constant of the object.
        let model = unsafe { &MODEL };
        if model.abi != 1 || model.n_inputs != 1 || model.n_outputs != 1 {
            return Err("a Runner is for models of ABI 1 with one input and one output".into());
        }
        if batch < 1 || (batch != 1 && model.flags & 1 == 0) {
            return Err(format!("the model cannot run a batch of {batch}"));
        }
        // SAFETY: both functions take any number.
        let size = unsafe { (model.workspace_size)(batch, 1) };
        let workspace = unsafe { rcc_workspace_alloc(size) };
        if workspace.is_null() {
            return Err(format!("no workspace of {size} bytes"));
        }
        Ok(Runner { workspace, size, batch })
    }

    /// The number of elements of a tensor; an error where they are not of type T.
    fn elements<T: Element>(&self, tensor: *const Tensor) -> Result<usize, String> {
        // SAFETY: the object's tables have rank dimensions, and a name that ends in 0.
        let tensor = unsafe { &*tensor };
        let name = unsafe { CStr::from_ptr(tensor.name) }.to_string_lossy();
        if tensor.kind != T::KIND {
            return Err(format!("{name}: its elements are of another type"));
        }
        let dims = (0..tensor.rank as usize).map(|i| unsafe { *tensor.dims.add(i) });
        Ok(dims.map(|d| if d < 0 { self.batch } else { d } as usize).product())
    }

    pub fn run<I: Element, O: Element>(&mut self, input: &[I]) -> Result<Vec<O>, String> {
        let model = unsafe { &MODEL };
        let n = self.elements::<I>(model.inputs)?;
        if input.len() != n {
            return Err(format!("{} elements where the model takes {n}", input.len()));
        }
        let mut output = vec![O::default(); self.elements::<O>(model.outputs)?];
        let inputs = [input.as_ptr() as *const c_void];
        let outputs = [output.as_mut_ptr() as *mut c_void];
        // SAFETY: the tensors are of the types and sizes that the model has, and the workspace is this Runner's alone.
        let error = unsafe {
            (model.run)(inputs.as_ptr(), outputs.as_ptr(), self.batch, self.workspace, self.size, std::ptr::null())
        };
        if error != 0 {
            return Err(unsafe { CStr::from_ptr(rcc_strerror(error)) }.to_string_lossy().into_owned());
        }
        Ok(output)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // SAFETY: as it was asked for.
        unsafe { rcc_workspace_free(self.workspace, self.size) }
    }
}
