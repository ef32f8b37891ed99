/* Prints the instruction sets that run here, highest first: run.sh holds them against those of the
 * CPU that is emulated. */
#include <stdio.h>

#include "kernels/kernels.h"

int main(void)
{
    for (size_t i = 0; i < kernels_count(); i++) {
        if (kernels_runnable(i))
            printf("%s ", kernels_name(i));
    }
    printf("best: %s\n", kernels_choose("auto")->isa);
    return 0;
}
