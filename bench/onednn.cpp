#include "onednn.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#if HEED_BENCH_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace heed::bench {

#if HEED_BENCH_ONEDNN
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Arguments = std::unordered_map<int, memory>;

memory::desc desc(const Dims& dims, const Dims& strides) { return {dims, memory::data_type::f32, strides}; }

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const memory::desc& a, const memory::desc& b,
                                      const memory::desc* bias, const memory::desc& c,
                                      const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return bias ? dnnl::matmul::primitive_desc(engine, a, b, *bias, c, attr)
              : dnnl::matmul::primitive_desc(engine, a, b, c, attr);
#else
  return {bias ? dnnl::matmul::desc(a, b, *bias, c) : dnnl::matmul::desc(a, b, c), attr, engine};
#endif
}

dnnl::softmax_forward make_softmax(const dnnl::engine& engine, const memory::desc& rows) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::softmax_forward::primitive_desc(engine, dnnl::prop_kind::forward_inference,
                                               dnnl::algorithm::softmax_accurate, rows, rows, 2);
#else
  return dnnl::softmax_forward::primitive_desc(
      dnnl::softmax_forward::desc(dnnl::prop_kind::forward_inference, rows, 2), engine);
#endif
}

void append_scale(dnnl::post_ops& ops, float scale) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(dnnl::algorithm::eltwise_linear, scale, 0.0f);
#else
  ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_linear, scale, 0.0f);
#endif
}

// One projection of all tokens, its weights reordered once.
class Linear {
 public:
  Linear(const dnnl::engine& engine, dnnl::stream& stream, const Floats& weight, const Floats& bias, int64_t rows,
         int64_t in, int64_t out, const float* from, float* to) {
    const auto a = desc({rows, in}, {in, 1}), c = desc({rows, out}, {out, 1}), b1 = desc({1, out}, {out, 1});
    const memory::desc any({in, out}, memory::data_type::f32, memory::format_tag::any);
    const auto pd = describe(engine, a, any, &b1, c, {});
    memory given(desc({in, out}, {1, in}), engine, const_cast<float*>(weight.data()));
    memory packed(pd.weights_desc(), engine);
    dnnl::reorder(given, packed).execute(stream, given, packed);
    stream.wait();
    matmul_ = dnnl::matmul(pd);
    arguments_ = {{DNNL_ARG_SRC, memory(a, engine, const_cast<float*>(from))},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_BIAS, memory(b1, engine, const_cast<float*>(bias.data()))},
                  {DNNL_ARG_DST, memory(c, engine, to)}};
  }
  void execute(dnnl::stream& stream) { matmul_.execute(stream, arguments_); }

 private:
  dnnl::matmul matmul_;
  Arguments arguments_;
};

// Where q, k, v and the output of head h of entry n lie: base + n * entry + h * head, rows a stride apart.
struct Place {
  float* base;
  int64_t entry, head, row;
};

class OneDnn final : public Rival {
 public:
  explicit OneDnn(const Problem& p)
      : problem_(p), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), output_(p.output_floats()) {
    const Case& c = p.shape();
    const int64_t l = c.length, d = c.head_dim, e = c.embed_dim(), rows = c.batch * l;
    if (c.sdpa) {
      const auto plain = [&](const Floats& x) { return Place{const_cast<float*>(x.data()), l * e, l * d, d}; };
      make_attention(plain(p.q), plain(p.k), plain(p.v), plain(output_));
      return;
    }
    qkv_.resize(size_t(rows * 3 * e));
    heads_.resize(size_t(rows * e));
    before_ = std::make_unique<Linear>(engine_, stream_, p.in_proj_weight, p.in_proj_bias, rows, e, 3 * e, p.x.data(),
                                       qkv_.data());
    const auto part = [&](int64_t i) { return Place{qkv_.data() + i * e, l * 3 * e, d, 3 * e}; };
    make_attention(part(0), part(1), part(2), {heads_.data(), l * e, d, e});
    after_ = std::make_unique<Linear>(engine_, stream_, p.out_proj_weight, p.out_proj_bias, rows, e, e, heads_.data(),
                                      output_.data());
  }

  void run() override {
    const Case& c = problem_.shape();
    if (before_) before_->execute(stream_);
    for (int64_t n = 0; n < c.batch; ++n)
      for (int64_t h = 0; h < c.num_heads; h += together_) attend(n, h);
    if (after_) after_->execute(stream_);
    stream_.wait();
  }
  double error() const override { return problem_.error(output_.data(), nullptr); }

 private:
  // So many heads at a time that their scores stay in a second-level cache.
  void make_attention(Place q, Place k, Place v, Place o) {
    const Case& c = problem_.shape();
    const int64_t l = c.length, d = c.head_dim;
    for (together_ = c.num_heads; together_ > 1; --together_)
      if (c.num_heads % together_ == 0 && together_ * l * l * 4 <= 1 << 20) break;
    scores_.resize(size_t(together_ * l * l));
    const Dims rows{together_, l, d};
    const auto q_desc = desc(rows, {q.head, q.row, 1}), k_desc = desc({together_, d, l}, {k.head, 1, k.row}),
               v_desc = desc(rows, {v.head, v.row, 1}), o_desc = desc(rows, {o.head, o.row, 1}),
               s_desc = desc({together_, l, l}, {l * l, l, 1});
    dnnl::post_ops ops;
    append_scale(ops, float(1.0 / std::sqrt(double(d))));
    const memory scores(s_desc, engine_, scores_.data());
    qk_arguments_ = {{DNNL_ARG_DST, scores}};
    if (c.extra == Extra::causal) {
      const auto mask_desc = desc({1, l, l}, {l * l, l, 1});
      for (int64_t i = 0; i < l * l; ++i) mask_.push_back(i % l > i / l ? -1e30f : 0.0f);
      ops.append_binary(dnnl::algorithm::binary_add, mask_desc);
      qk_arguments_[DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1] = memory(mask_desc, engine_, mask_.data());
    }
    dnnl::primitive_attr attr;
    attr.set_post_ops(ops);
    qk_ = dnnl::matmul(describe(engine_, q_desc, k_desc, nullptr, s_desc, attr));
    softmax_ = make_softmax(engine_, s_desc);
    pv_ = dnnl::matmul(describe(engine_, s_desc, v_desc, nullptr, o_desc, {}));
    softmax_arguments_ = {{DNNL_ARG_SRC, scores}, {DNNL_ARG_DST, scores}};
    const auto empty = [this](const memory::desc& m) { return memory(m, engine_, nullptr); };
    qk_arguments_[DNNL_ARG_SRC] = empty(q_desc);
    qk_arguments_[DNNL_ARG_WEIGHTS] = empty(k_desc);
    pv_arguments_ = {{DNNL_ARG_SRC, scores}, {DNNL_ARG_WEIGHTS, empty(v_desc)}, {DNNL_ARG_DST, empty(o_desc)}};
    q_ = q, k_ = k, v_ = v, o_ = o;
  }

  void attend(int64_t n, int64_t h) {
    const auto at = [n, h](const Place& p) { return p.base + n * p.entry + h * p.head; };
    qk_arguments_[DNNL_ARG_SRC].set_data_handle(at(q_));
    qk_arguments_[DNNL_ARG_WEIGHTS].set_data_handle(at(k_));
    pv_arguments_[DNNL_ARG_WEIGHTS].set_data_handle(at(v_));
    pv_arguments_[DNNL_ARG_DST].set_data_handle(at(o_));
    qk_.execute(stream_, qk_arguments_);
    softmax_.execute(stream_, softmax_arguments_);
    pv_.execute(stream_, pv_arguments_);
  }

  const Problem& problem_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  Floats output_, qkv_, heads_, scores_, mask_;
  std::unique_ptr<Linear> before_, after_;
  int64_t together_ = 1;
  Place q_{}, k_{}, v_{}, o_{};
  dnnl::matmul qk_, pv_;
  dnnl::softmax_forward softmax_;
  Arguments qk_arguments_, softmax_arguments_, pv_arguments_;
};

}  // namespace

bool has_onednn_rival(const Case& c) { return c.extra == Extra::none || (c.sdpa && c.extra == Extra::causal); }

std::unique_ptr<Rival> onednn_rival(const Problem& problem) {
  return has_onednn_rival(problem.shape()) ? std::make_unique<OneDnn>(problem) : nullptr;
}
#else
bool has_onednn_rival(const Case&) { return false; }
std::unique_ptr<Rival> onednn_rival(const Problem&) { return nullptr; }
#endif

}  // namespace heed::bench
