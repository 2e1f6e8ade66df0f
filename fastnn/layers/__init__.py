"""Layers: Modules with parameters, made of ops."""

from fastnn.layers.activations import ReLU, Sigmoid, Tanh
from fastnn.layers.flatten import Flatten
from fastnn.layers.linear import Linear
from fastnn.layers.module import Module, Parameter
from fastnn.layers.registry import register as register_module
from fastnn.layers.sequential import Sequential

__all__ = [
    "Flatten",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "register_module",
]
