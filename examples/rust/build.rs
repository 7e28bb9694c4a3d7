fn main() {
    resnetcc_build::Model::new("../digits/digits.onnx").compile();
}
