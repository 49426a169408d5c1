"""The Keras classes and functions that a model file may name. They compute and have no other effect.

A name in a file is resolved as Keras resolves it. The resulting class or function must be in the list. A list of names
alone would not be enough: ``keras`` with ``layers.Lambda`` means the same as ``keras.layers`` with ``Lambda``. Nothing
is imported here. Everything in Keras that a model may name is imported together with Keras.
"""

import functools
import sys
from types import FunctionType
from typing import Any

# Allowed classes by module. Layers that contain code or load files are not allowed: Lambda, TFSMLayer,
# TorchModuleWrapper, JaxLayer, FlaxLayer, StringLookup, IntegerLookup and TextVectorization.
CLASSES = {
    "keras": "DTypePolicy FloatDTypePolicy Model Sequential",
    "keras.src.models.functional": "Functional",
    "keras.layers": """
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
        AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
        Bidirectional CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D
        Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D
        Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
        EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
        GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU
        Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention
        Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
        RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing
        RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
        RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector
        Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN
        SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
        StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
        ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """,
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        RandomNormal RandomUniform STFT TruncatedNormal VarianceScaling Zeros
    """,
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    "keras.dtype_policies": "DTypePolicyMap Int4DTypePolicy QuantizedDTypePolicy QuantizedFloat8DTypePolicy",
    "keras.quantizers": "AbsMaxQuantizer Float8QuantizationConfig Int4QuantizationConfig Int8QuantizationConfig",
    "keras.random": "SeedGenerator",
    "keras.losses": """
        BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber KLDivergence
        LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
        SparseCategoricalCrossentropy SquaredHinge Tversky
    """,
    "keras.metrics": """
        AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy CategoricalCrossentropy
        CategoricalHinge ConcordanceCorrelation CosineSimilarity F1Score FBetaScore FalseNegatives FalsePositives
        Hinge IoU KLDivergence LogCoshError Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU
        MeanSquaredError MeanSquaredLogarithmicError OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson Precision
        PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity
        SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy
        SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives TruePositives
    """,
    "keras.optimizers": """
        Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam RMSprop SGD
        ScheduleFreeAdamW
    """,
    "keras.optimizers.schedules": """
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay
    """,
    # Layers of the networks in keras.applications, and single operations of modules that are not allowed as a whole.
    "keras.src.applications.convnext": "LayerScale StochasticDepth",
    "keras.src.applications.inception_resnet_v2": "CustomScaleLayer",
    "keras.src.ops.core": """
        Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack
    """,
    "keras.src.ops.linalg": "Norm",
}
# Modules whose operations are all allowed. They only compute on tensors, as in keras.ops.mean(x / 255).
OPERATIONS = {f"keras.src.ops.{name}" for name in ("numpy", "nn", "math", "image", "einops")}
# Modules whose functions are allowed, except NO_FUNCTIONS. Those load their argument.
FUNCTIONS = ("keras.activations", "keras.losses", "keras.metrics")
NO_FUNCTIONS = {"get", "serialize", "deserialize"}
# Class names that Keras writes for values that JSON cannot represent.
VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__"}
VALUES |= {"TensorShape"}


def is_allowed(part: dict[str, Any]) -> bool:
    """Return whether a model file may name the class or function in a part of its configuration."""
    name, module = part["class_name"], part.get("module")
    if name == "function":
        return _is_allowed_function(module, part.get("config"))
    if not isinstance(name, str) or not name.isidentifier():
        return False
    if module is None:  # as in HDF5 files, where the position of the part implies the module
        return name in VALUES or name in _simple_names()
    found = resolved(module, name)
    return isinstance(found, type) and (found in _classes() or _is_operation(found))


def resolved(module: object, name: object) -> Any:
    """Return the object that Keras finds for a module and a name, or None if Keras itself has no such object."""
    place, _, own = f"{module}.{name}".rpartition(".")  # Keras joins them in the same way
    found = sys.modules.get(place) if place.split(".")[0] == "keras" else None
    return None if found is None else vars(found).get(own)


def _is_allowed_function(module: object, name: object) -> bool:
    if not isinstance(name, str) or not name.isidentifier() or name in NO_FUNCTIONS:
        return False
    places = FUNCTIONS if module == "builtins" else tuple(each for each in FUNCTIONS if each == module)
    return any(isinstance(resolved(place, name), FunctionType) for place in places)


def is_operation_of_keras(name: str) -> bool:
    """Return whether a class is an allowed operation, such as ``TrueDivide``, and needs its module to be found."""
    return any(is_allowed({"class_name": name, "module": module}) for module in OPERATIONS)


def _is_operation(found: type) -> bool:
    import keras

    return issubclass(found, keras.Operation) and found.__module__ in OPERATIONS


@functools.cache
def _classes() -> frozenset[type]:
    found = (resolved(module, name) for module, names in CLASSES.items() for name in names.split())
    return frozenset(each for each in found if each is not None)  # some do not exist in every version


@functools.cache
def _simple_names() -> frozenset[str]:
    return frozenset(name for names in CLASSES.values() for name in names.split())
