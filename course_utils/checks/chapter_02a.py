"""Checks of chapter 2a, deeper networks."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import convolution, normalization


@exercise("02a.separable_weights")
def separable_weights(answer):
    """Three different numbers, so that none can be taken for another."""
    kernel, inputs, outputs = 3, 16, 32
    found, squared = answer(kernel, inputs, outputs), kernel * kernel
    expect(
        found != squared * inputs * outputs,
        "这是普通卷积的权重数",
        "this is the full convolution: the two steps were not separated",
    )
    expect(found != squared * inputs, "少了 1 × 1 那一层", "the 1 × 1 layer is missing")
    expect(
        found != squared * outputs + inputs * outputs,
        "逐通道卷积的每个核属于一个输入通道，不是输出通道",
        "a depthwise kernel belongs to an input channel, not to an output channel",
    )
    expect(
        found != squared * inputs * inputs * outputs,
        "两层的权重数要相加，不是相乘",
        "the counts of two layers are added, not multiplied",
    )
    expect(
        found != squared * inputs + inputs * outputs + inputs + outputs
        and found != squared * inputs + inputs * outputs + outputs,
        "题目不计偏置",
        "biases are not counted here",
    )
    expect(
        found == squared * inputs + inputs * outputs and answer(5, 7, 3) == 196,
        "3 × 3、16 → 32 通道应得 656",
        "3 × 3 with 16 → 32 channels should give 656",
    )


@exercise("02a.normalise")
def normalise(answer):
    """Channels of very different size; a small batch, so that n and n - 1 differ; a large epsilon, so that it shows."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 3, 4, 3)) * np.array([0.1, 1.0, 5.0]) + np.array([1.0, -2.0, 10.0])
    gamma, beta, epsilon = np.array([1.5, 0.5, -1.0]), np.array([0.3, 0.0, -0.7]), 0.1
    found = np.asarray(answer(x.copy(), gamma, beta, epsilon))

    def by(mean, spread):
        return gamma * (x - mean) / spread + beta

    axes = (0, 1, 2)
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    expect(
        found.shape == x.shape,
        f"结果的形状应与 x 相同 {x.shape}，得到 {found.shape}",
        f"the result should have the shape of x, {x.shape}; found shape {found.shape}",
    )
    expect(
        not close(found, by(x.mean(), np.sqrt(x.var() + epsilon))),
        "把通道也平均掉了：每个通道应有自己的均值和方差",
        "channels were averaged together: each channel has its own mean and variance",
    )
    expect(
        not close(found, by(x.mean(axis=0), np.sqrt(x.var(axis=0) + epsilon))),
        "只对批量轴取了平均；位置（高、宽）也要平均",
        "only the batch axis was averaged: positions (height, width) are averaged too",
    )
    expect(
        not close(
            found, by(x.mean(axis=-1, keepdims=True), np.sqrt(x.var(axis=-1, keepdims=True) + epsilon))
        ),
        "沿通道轴取平均，那是层归一化",
        "averaging along the channel axis is layer normalisation",
    )
    expect(
        not close(found, by(mean, np.sqrt(x.var(axis=axes, ddof=1) + epsilon))),
        "方差应除以 n，不是 n − 1",
        "the variance divides by n here, not by n − 1",
    )
    expect(
        not close(found, by(mean, np.sqrt(variance) + epsilon)),
        "ε 应在根号里面，与方差相加",
        "epsilon belongs inside the root, added to the variance",
    )
    expect(
        not close(found, by(mean, variance + epsilon)),
        "忘了开平方：要除以标准差，不是方差",
        "the square root is missing: divide by the standard deviation, not by the variance",
    )
    expect(not close(found, by(mean, np.sqrt(variance))), "没有用到 ε", "epsilon is not used")
    expect(
        not close(found, (x - mean) / np.sqrt(variance + epsilon)),
        "别忘了乘 γ、加 β",
        "gamma and beta are missing",
    )
    expect(
        close(found, normalization.batch_norm(x, gamma, beta, epsilon)),
        "数值不对：减均值，除以标准差，乘 γ，加 β",
        "the numbers differ: subtract the mean, divide by the standard deviation, times gamma, plus beta",
    )


@exercise("02a.causal")
def causal(answer):
    """A random sequence; the kernel has no symmetry."""
    random = np.random.default_rng(0)
    sequence, kernel, dilation = random.normal(size=12), np.array([0.5, -1.0, 2.0]), 2

    def correct(padding="causal", weights=kernel, apart=dilation):
        return convolution.cross_correlate1d(
            sequence[None, :, None], weights[:, None, None], padding=padding, dilation=apart
        )[0, :, 0]

    found = np.asarray(answer(sequence.copy(), kernel.copy(), dilation))
    expect(
        found.shape == sequence.shape,
        f"输出应与输入等长 {sequence.shape}，得到 {found.shape}：前面补的零数是 (K − 1)·d",
        f"the output should be as long as the input, {sequence.shape}; found {found.shape}: put (K − 1)·d zeros in front",
    )
    later = sequence.copy()
    later[7:] += 1
    changed = np.asarray(answer(later, kernel.copy(), dilation))
    expect(
        close(changed[:7], found[:7]),
        "改动第 7 步之后的输入，前面的输出也变了：它看到了未来，零应全部补在前面",
        "changing inputs from step 7 on changed earlier outputs: it sees the future; put all zeros in front",
    )
    expect(
        not close(found, correct(apart=1)),
        "没有用到 dilation",
        "dilation is not used: weights lie d steps apart",
    )
    expect(
        not close(found, correct(weights=kernel[::-1])),
        "核翻转了：最后一个权重对应当前时刻",
        "the kernel is flipped: its last weight belongs to the present",
    )
    expect(close(found, correct()), "数值不对：请对照公式", "the numbers differ from the formula")


@exercise("02a.fold")
def fold(answer):
    """As many input as output channels, so that scaling the wrong axis runs and is noticed."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(3, 3, 4, 4))
    gamma, beta, mean = random.normal(size=(3, 4))
    variance, epsilon = random.uniform(0.5, 2, size=4), 0.1
    found = answer(kernel.copy(), gamma, beta, mean, variance, epsilon)
    expect(
        isinstance(found, (tuple, list)) and len(found) == 2,
        "应返回两样东西：(核, 偏置)",
        "two things should be returned: (kernel, bias)",
    )
    new_kernel, new_bias = found
    scale = gamma / np.sqrt(variance + epsilon)
    expect(
        not close(new_kernel, kernel * scale[:, None]),
        "缩放了输入通道；γ 属于输出通道，即核的最后一条轴",
        "the input channels were scaled; gamma belongs to the output channels, the kernel's last axis",
    )
    expect(
        not close(new_kernel, kernel * gamma / (variance + epsilon)),
        "忘了开平方：除以标准差",
        "the square root is missing: divide by the standard deviation",
    )
    expect(not close(new_kernel, kernel * gamma / np.sqrt(variance)), "没有用到 ε", "epsilon is not used")
    expect(
        close(new_kernel, kernel * scale),
        "核不对：乘以 γ / √(v + ε)",
        "the kernel differs: multiply by γ / √(v + ε)",
    )
    expect(
        not close(new_bias, beta),
        "偏置里少了均值：卷积的结果还没有减去它",
        "the bias lacks the mean, which nobody subtracted",
    )
    expect(
        not close(new_bias, beta - mean),
        "均值也要缩放：减去的是缩放后的均值",
        "the mean is scaled too, since it is subtracted before scaling",
    )
    expect(
        not close(new_bias, beta + mean * scale),
        "均值的符号反了",
        "the sign of the mean is wrong: it is subtracted",
    )
    expect(not close(new_bias, -mean * scale), "偏置里少了 β", "the bias lacks beta")
    expect(
        close(new_bias, beta - mean * scale),
        "偏置应为 β − 缩放后的均值",
        "the bias should be β − the scaled mean",
    )
