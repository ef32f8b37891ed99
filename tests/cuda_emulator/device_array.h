/* Device memory of a test, given back at its end. */
#ifndef CUDA_EMULATOR_DEVICE_ARRAY_H
#define CUDA_EMULATOR_DEVICE_ARRAY_H

#include <cstddef>
#include <cstdlib>
#include <vector>

#include <cuda_runtime_api.h>

template <typename T> class device_array
{
  public:
    explicit device_array(size_t count) : count_(count)
    {
        if (cudaMalloc(reinterpret_cast<void **>(&data_), count * sizeof(T)) != cudaSuccess)
            std::abort();
    }
    explicit device_array(const std::vector<T> &values) : device_array(values.size())
    {
        cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice);
        cudaStreamSynchronize(nullptr); /* it is there for streams that do not block, too */
    }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;
    ~device_array()
    {
        cudaFree(data_);
    }
    T *data()
    {
        return data_;
    }
    std::vector<T> values() const
    {
        std::vector<T> result(count_);
        cudaMemcpy(result.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost);
        return result;
    }

  private:
    T *data_ = nullptr;
    size_t count_;
};

#endif
