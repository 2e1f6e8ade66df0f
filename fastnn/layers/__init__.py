"""Layers: Modules with parameters, made of ops."""

from fastnn.layers.activations import ReLU, Sigmoid, Tanh
from fastnn.layers.conv import Conv2d
from fastnn.layers.dropout import Dropout
from fastnn.layers.flatten import Flatten
from fastnn.layers.linear import Linear
from fastnn.layers.module import Buffer, Module, Parameter
from fastnn.layers.normalization import BatchNorm1d, BatchNorm2d, LocalResponseNorm
from fastnn.layers.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from fastnn.layers.registry import register as register_module
from fastnn.layers.sequential import Sequential

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Linear",
    "LocalResponseNorm",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "register_module",
]
