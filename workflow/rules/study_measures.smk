# study, measuring: what the pictures of a run are like and unlike. Somepalli 2022 and 2023.
#
# INPUTS   <results>/study/runs/{point}/{seed}/{defence}/pictures.zip, generations.parquet
# OUTPUTS  <results>/study/runs/{point}/{seed}/{defence}/similarities.parquet, measures.parquet
